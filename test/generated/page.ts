// The common parts of all generated pages.

export const notice = '<!-- Written by `npm run docs`: change the code, not this page. -->'

export function page(title: string, lead: string, lines: readonly string[]): string {
  return `${notice}\n\n# ${title}\n\n${lead}\n\n${lines.join('\n')}\n`
}

/** Escapes `<name>`, which is not HTML, and bars, which do not end a cell. */
export function asText(doc: string): string {
  return doc.replaceAll('<', '&lt;').replaceAll('|', '\\|')
}
