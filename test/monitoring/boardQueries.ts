// The queries of a Grafana board, without and with values for Grafana's variables.

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export function boardQueries(board: { readonly panels: readonly object[] }): string[] {
  return (board.panels as readonly Panel[]).flatMap(({ targets = [] }) =>
    targets.map(({ expr }) => expr),
  )
}

/** Returns the query for all values of all variables, over the last minute. */
export function filledIn(query: string): string {
  return query.replaceAll('$__rate_interval', '1m').replaceAll(/"\$[a-z_]+"/g, '".*"')
}
