// Small parts of every page.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import { ApiError } from '../api/http';

export function Card(props: { title?: ComponentChildren; tools?: ComponentChildren; children?: ComponentChildren; class?: string; id?: string }) {
  return (
    <section class={`card ${props.class ?? ''}`} id={props.id}>
      {(props.title || props.tools) && (
        <div class="card-head">
          {props.title && <h2>{props.title}</h2>}
          {props.tools && <div class="tools">{props.tools}</div>}
        </div>
      )}
      {props.children}
    </section>
  );
}

export function PageHead(props: { title: string; sub?: ComponentChildren; actions?: ComponentChildren }) {
  return (
    <header class="page-head">
      <h1>{props.title}</h1>
      {props.sub && <span class="sub">{props.sub}</span>}
      {props.actions && <div class="actions">{props.actions}</div>}
    </header>
  );
}

export type Tone = 'good' | 'bad' | 'warn' | 'info' | '';

export function Badge(props: { tone?: Tone; children: ComponentChildren; tip?: string }) {
  if (!props.tip) return <span class={`badge ${props.tone ?? ''}`}>{props.children}</span>;
  return <button type="button" class={`badge ${props.tone ?? ''}`} data-tip={props.tip}>{props.children}</button>;
}

export function Callout(props: { tone?: Tone; title?: string; children?: ComponentChildren; role?: 'alert' | 'status' }) {
  return (
    <div class={`callout ${props.tone ?? ''}`} role={props.role}>
      {props.title && <h2>{props.title}</h2>}
      {props.children}
    </div>
  );
}

/** An error in words, with what can be done about it. */
export function Problem(props: { error: unknown; retry?: () => void }) {
  const error = props.error;
  const api = error instanceof ApiError ? error : undefined;
  return (
    <Callout tone="bad" title={api?.title ?? 'This did not work'} role="alert">
      <p class="wrap">{api ? api.detail : String((error as Error)?.message ?? error)}</p>
      {props.retry && <button type="button" class="button tiny" onClick={props.retry}>Try again</button>}
    </Callout>
  );
}

export function Empty(props: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}

export function Loading(props: { what: string }) {
  // Shown late: most answers are there before anybody could read it.
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 250);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="empty" role="status">
      {late ? `Loading ${props.what}…` : ''}
    </div>
  );
}

/** A word with its definition on hover, focus or tap. */
export function Define(props: { text: string | undefined; children: ComponentChildren }) {
  if (!props.text) return <>{props.children}</>;
  return <button type="button" class="define" data-tip={props.text}>{props.children}</button>;
}

interface FieldProps {
  label: ComponentChildren;
  hint?: ComponentChildren;
  error?: string;
  tip?: string;
  children: (attributes: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': 'true' | undefined }) => JSX.Element;
}

export function Field(props: FieldProps) {
  const id = useId();
  const described = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children({ id, 'aria-describedby': described || undefined, 'aria-invalid': props.error ? 'true' : undefined })}
      {props.hint && !props.error && <span class="hint" id={`${id}-hint`}>{props.hint}</span>}
      {props.error && <span class="error" id={`${id}-error`}>{props.error}</span>}
    </div>
  );
}

export function ProgressBar(props: { fraction: number | undefined; label: string }) {
  const known = props.fraction !== undefined && Number.isFinite(props.fraction);
  const shown = known ? Math.round(Math.min(1, Math.max(0, props.fraction ?? 0)) * 100) : undefined;
  return (
    <div class={`progress ${known ? '' : 'unknown'}`} role="progressbar" aria-label={props.label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={shown}>
      <span style={known ? { width: `${shown}%` } : {}} />
    </div>
  );
}

/** Gains with a plus sign and a colour. */
export function Gain(props: { value: number | null | undefined; children: ComponentChildren }) {
  const value = props.value ?? 0;
  return <span class={value > 0 ? 'gain' : value < 0 ? 'loss' : ''}>{props.children}</span>;
}

export function Facts(props: { rows: [ComponentChildren, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {props.rows.filter(([, value]) => value !== undefined && value !== null && value !== '').map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

/** One layer for all elements with `data-tip`: hover, focus, and a tap on touch screens; Escape hides it. */
export function TipLayer() {
  const [tip, setTip] = useState<{ text: string; x: number; y: number; above: boolean } | undefined>();
  useEffect(() => {
    let anchor: Element | null = null;
    const show = (event: Event) => {
      const target = (event.target as Element | null)?.closest?.('[data-tip]') ?? null;
      if (target === anchor) return;
      anchor?.removeAttribute('aria-describedby');
      anchor = target;
      if (!target) {
        setTip(undefined);
        return;
      }
      const box = target.getBoundingClientRect();
      const above = box.bottom > window.innerHeight * 0.66;
      target.setAttribute('aria-describedby', 'tip-layer');
      setTip({ text: target.getAttribute('data-tip') ?? '', x: box.left, y: above ? window.innerHeight - box.top + 6 : box.bottom + 6, above });
    };
    const hide = (event: Event) => {
      if (event instanceof KeyboardEvent && event.key !== 'Escape') return;
      anchor?.removeAttribute('aria-describedby');
      anchor = null;
      setTip(undefined);
    };
    document.addEventListener('pointerover', show);
    document.addEventListener('focusin', show);
    document.addEventListener('focusout', hide);
    document.addEventListener('keydown', hide);
    window.addEventListener('scroll', hide, { passive: true, capture: true });
    return () => {
      document.removeEventListener('pointerover', show);
      document.removeEventListener('focusin', show);
      document.removeEventListener('focusout', hide);
      document.removeEventListener('keydown', hide);
      window.removeEventListener('scroll', hide, { capture: true });
    };
  }, []);
  const left = tip ? Math.max(12, Math.min(tip.x, window.innerWidth - 352)) : 0;
  return (
    <div id="tip-layer" role="tooltip" hidden={!tip} class="tip" style={tip ? { left: `${left}px`, [tip.above ? 'bottom' : 'top']: `${tip.y}px` } : {}}>
      {tip?.text}
    </div>
  );
}
