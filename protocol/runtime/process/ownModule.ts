// Resolves modules of this program that are loaded by URL: TypeScript in a checkout, JavaScript in
// the package that `npm run build` produces.

/** Returns the URL of the module. `path` is relative to `base`, an `import.meta.url`. */
export function ownModule(path: `./${string}.ts` | `../${string}.ts`, base: string): URL {
  const isBuilt = base.endsWith('.js')
  return new URL(isBuilt ? path.replace(/\.ts$/, '.js') : path, base)
}
