import { render } from 'preact';
import { setToken } from './api/http';
import { App } from './app';
import { splitToken } from './lib/route';

function takeToken(): void {
  const { token, hash } = splitToken(location.hash);
  if (token === undefined) return;
  setToken(token);
  // Out of the address bar and of the history, so that a copied address does not give it away.
  history.replaceState(null, '', `${location.pathname}${location.search}${hash}`);
}

takeToken();
addEventListener('hashchange', takeToken);
const root = document.getElementById('app');
if (root) render(<App />, root);
