// Where a module of this program is: beside the file that asks for it, as TypeScript in a checkout and as
// JavaScript in the package that `npm run build` makes of it.

/** `path` is relative to `base` (an `import.meta.url`) and ends in `.ts`. */
export function ownModule(path: `./${string}.ts` | `../${string}.ts`, base: string): URL {
  const isBuilt = base.endsWith('.js')
  return new URL(isBuilt ? path.replace(/\.ts$/, '.js') : path, base)
}
