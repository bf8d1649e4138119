// The version of the package, and the commit that it was built from.

export interface BuildInfo {
  /** Version in package.json: `0.1.0`. */
  readonly version: string
  /** Git commit of the package; undefined in a checkout. */
  readonly commit?: string | undefined
}
