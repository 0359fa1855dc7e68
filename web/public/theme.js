// Sets the theme before the first paint: what was chosen, else what the system prefers.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem('tradewind.theme');
  } catch {
    // Storage may be forbidden; the system's preference is fine then.
  }
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
