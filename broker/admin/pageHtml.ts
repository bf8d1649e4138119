// The page's HTML document, and the locations of its libraries. No bundler: the browser loads ES
// modules through the import map, whose hash is part of the content security policy.

import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Directories of installed packages that are served below /vendor/, by name. */
export function vendored(): Record<string, string> {
  const folder = (specifier: string) => dirname(fileURLToPath(import.meta.resolve(specifier)))
  return { preact: folder('preact'), htm: folder('htm'), uplot: folder('uplot') }
}

const importMap = JSON.stringify({
  imports: {
    preact: '/vendor/preact/preact.mjs',
    htm: '/vendor/htm/htm.mjs',
    uplot: '/vendor/uplot/uPlot.esm.js',
  },
})

export function pageHtml(): { text: string; importMap: string } {
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Millrace</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/vendor/uplot/uPlot.min.css">
<link rel="stylesheet" href="/page/page.css">
<script type="importmap">${importMap}</script>
<script type="module" src="/page/page.js"></script>
</head>
<body><noscript>The console draws its charts with JavaScript: please allow it for this page.</noscript></body>
</html>
`
  return { text, importMap }
}
