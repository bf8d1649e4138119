// What all generated pages have in common.

export const notice = '<!-- Written by `npm run docs`: change the code, not this page. -->'

export function page(title: string, lead: string, lines: readonly string[]): string {
  return `${notice}\n\n# ${title}\n\n${lead}\n\n${lines.join('\n')}\n`
}

/** So that `<name>` is not taken for HTML, nor a bar for the end of a cell. */
export function asText(doc: string): string {
  return doc.replaceAll('<', '&lt;').replaceAll('|', '\\|')
}
