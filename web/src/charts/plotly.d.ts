// The part of plotly.js that is used here.
declare module 'plotly.js-strict-dist-min' {
  type Json = Record<string, unknown>;
  interface PlotElement extends HTMLElement {
    on(event: string, handler: (data: any) => void): void;
    removeAllListeners?(event?: string): void;
    layout?: any;
  }
  const plotly: {
    react(element: HTMLElement, data: Json[], layout: Json, config?: Json): Promise<PlotElement>;
    relayout(element: HTMLElement, update: Json): Promise<void>;
    restyle(element: HTMLElement, update: Json, traces?: number[]): Promise<void>;
    purge(element: HTMLElement): void;
    toImage(element: HTMLElement | Json, options: Json): Promise<string>;
    Plots: { resize(element: HTMLElement): Promise<void> };
    Fx: { hover(element: HTMLElement, points: Json[], subplots?: string[]): void; unhover(element: HTMLElement): void };
  };
  export default plotly;
}
