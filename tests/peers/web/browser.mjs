// Debian's Chromium, watched: whatever a page complains about, asks for elsewhere or throws is kept for the end.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const EXECUTABLE = process.env.TW_CHROMIUM ?? '/usr/bin/chromium';

export async function launch() {
  const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
  // Chromium's sandbox refuses to run as root, as in containers.
  if (process.getuid?.() === 0) quiet.push('--no-sandbox');
  return chromium.launch({ executablePath: EXECUTABLE, args: quiet });
}

export class Watch {
  complaints = [];
  foreign = new Set();

  constructor(base) {
    this.host = new URL(base).host;
  }

  /** A page of its own context: nothing is remembered from another. */
  async open(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, colorScheme: 'light', timezoneId: 'America/New_York', locale: 'en-GB', reducedMotion: 'reduce', acceptDownloads: true, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(90_000);
    page.on('pageerror', (error) => this.complaints.push(`thrown: ${error.stack}`));
    page.on('console', (message) => {
      const text = message.text();
      // Refused requests are what some tests provoke; WebGL speaks of its own speed.
      if (/Failed to load resource|GL Driver Message|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/.test(text)) return;
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(`console: ${text}`);
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (/^https?:$/.test(url.protocol) && url.host !== this.host) this.foreign.add(url.host);
    });
    return page;
  }
}

/** What axe-core finds wrong with a page, in words. */
export async function accessibility(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const result = await globalThis.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return result.violations.map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
  });
  return found;
}
