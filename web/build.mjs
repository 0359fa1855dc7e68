// Bundles the application into dist/: static files that `tradewind serve` hands out.
//
//   node build.mjs            dist/: index.html, one script, one style sheet, plotly.js as a chunk of its own
//   node build.mjs --tests    dist-test/: the unit tests, each bundled for node --test
//
// Names carry a hash of the content, so that a browser may keep them for ever; only index.html changes in place.
import { build } from 'esbuild';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = (...parts) => path.join(here, ...parts);
const tests = process.argv.includes('--tests');

const common = {
  bundle: true,
  target: 'es2021',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  logLevel: 'warning',
};

async function filesBelow(folder) {
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(name)));
    else found.push(name);
  }
  return found.sort();
}

async function buildTests() {
  const out = source('dist-test');
  await rm(out, { recursive: true, force: true });
  const entries = (await filesBelow(source('src'))).filter((name) => /\.test\.tsx?$/.test(name));
  await build({
    ...common,
    entryPoints: entries,
    outdir: out,
    platform: 'node',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    external: ['node:*'],
  });
}

async function buildSite() {
  const begin = Date.now();
  const out = source('dist.incoming');
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, 'assets'), { recursive: true });
  const result = await build({
    ...common,
    entryPoints: { app: source('src/main.tsx'), style: source('src/style.css') },
    outdir: path.join(out, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    format: 'esm',
    splitting: true,
    minify: true,
    metafile: true,
    external: [],
  });
  const outputOf = (entry) => {
    for (const [file, info] of Object.entries(result.metafile.outputs)) {
      if (info.entryPoint && path.resolve(info.entryPoint) === source(entry)) return path.basename(file);
    }
    throw new Error(`no output for ${entry}`);
  };
  // The theme is chosen before anything is painted, by a small script of its own (inline ones are forbidden).
  const theme = await readFile(source('public/theme.js'));
  const themeName = `theme-${createHash('sha256').update(theme).digest('hex').slice(0, 8).toUpperCase()}.js`;
  await writeFile(path.join(out, 'assets', themeName), theme);
  // plotly.js inserts the styles of its maps unless an element with their id is there; the security policy would refuse
  // them, with a word in the console. No map is drawn here, so an empty element stands in.
  const plotly = await readFile(source('node_modules/plotly.js-strict-dist-min/plotly-strict.min.js'), 'utf8');
  const maps = /document\.getElementById\("([0-9a-f]{64})"\)/.exec(plotly)?.[1];
  const page = (await readFile(source('public/index.html'), 'utf8'))
    .replaceAll('{{app}}', `assets/${outputOf('src/main.tsx')}`)
    .replaceAll('{{style}}', `assets/${outputOf('src/style.css')}`)
    .replaceAll('{{theme}}', `assets/${themeName}`)
    .replaceAll('{{maps}}', maps ? `<meta id="${maps}" name="plotly-maps" content="none">` : '');
  await writeFile(path.join(out, 'index.html'), page);
  await cp(source('public/favicon.svg'), path.join(out, 'favicon.svg'));
  let bytes = 0;
  let packed = 0;
  for (const file of await filesBelow(out)) {
    const content = await readFile(file);
    bytes += content.length;
    packed += gzipSync(content, { level: 6 }).length;
  }
  await rm(source('dist'), { recursive: true, force: true });
  await rename(out, source('dist'));
  const kib = (count) => `${Math.round(count / 1024)} KiB`;
  console.log(`web/dist: ${kib(bytes)} (${kib(packed)} packed) in ${Date.now() - begin} ms`);
}

try {
  await (tests ? buildTests() : buildSite());
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
