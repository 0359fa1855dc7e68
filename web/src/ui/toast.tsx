import { useEffect, useState } from 'preact/hooks';

let show: ((text: string) => void) | undefined;

/** A word in passing: what was copied or saved. Errors belong beside what failed. */
export function toast(text: string): void {
  show?.(text);
}

export function ToastLayer() {
  const [text, setText] = useState('');
  useEffect(() => {
    let timer = 0;
    show = (next) => {
      setText(next);
      clearTimeout(timer);
      timer = window.setTimeout(() => setText(''), 4000);
    };
    return () => {
      clearTimeout(timer);
      show = undefined;
    };
  }, []);
  return <div role="status" aria-live="polite">{text && <div class="toast">{text}</div>}</div>;
}
