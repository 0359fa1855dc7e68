// Line icons of the navigation, 24 units square.
const PATHS: Record<string, string> = {
  overview: 'M4 13h6V4H4zM14 20h6v-9h-6zM14 8h6V4h-6zM4 20h6v-4H4z',
  simulate: 'M4 17l5-6 4 3 7-9M15 5h5v5M4 20.5h16',
  stress: 'M4 7h9M17 7h3M4 12h3M11 12h9M4 17h11M19 17h1M15 5v4M9 10v4M17 15v4',
  models: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9',
  experiments: 'M9 3h6M10 3v6l-5.2 9A2 2 0 006.5 21h11a2 2 0 001.7-3L14 9V3M7.5 15h9',
  data: 'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
};

export function Icon(props: { name: string }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[props.name] ?? ''} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#0b5cad" />
      <path d="M5 20c5 0 6-8 11-8s4 5 11 3" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" />
      <path d="M9 25c4 0 5-3 9-3" fill="none" stroke="#9ccbff" stroke-width="2.4" stroke-linecap="round" />
    </svg>
  );
}
