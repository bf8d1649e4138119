// Makes untrusted text (names, keys, messages) safe for a terminal, which would interpret escape
// sequences.

/** Control characters, line separators, and marks that change the direction of the line. */
const harmful = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Replaces each character that could move the cursor by a visible mark. */
export function harmless(text: string): string {
  return text.replace(harmful, '�')
}
