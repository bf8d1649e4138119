// Text from outside (names, keys, messages) for a terminal, which would obey an escape sequence in it.

/** Controls, line separators, and marks that turn the direction of the rest of the line. */
const harmful = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** `text` with a visible mark in place of each character that could move the cursor. */
export function harmless(text: string): string {
  return text.replace(harmful, '�')
}
