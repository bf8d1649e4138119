// The one place that imports a job's module. It is a file of its own, without imports, so that a test
// runner that rewrites imports can be told to leave it to Node, whose hooks see what a job consists of.

export async function nativeImport(url: string): Promise<{ readonly default?: unknown }> {
  return (await import(url)) as { readonly default?: unknown }
}
