// The only place that imports a job's module. A separate file without imports, so that a test
// runner that rewrites imports can be configured to leave it to Node, whose hooks record the job's
// files.

export async function nativeImport(url: string): Promise<{ readonly default?: unknown }> {
  return (await import(url)) as { readonly default?: unknown }
}
