// A strict parser of Prometheus' text format; throws on any deviation.

export interface Family {
  readonly type: string
  readonly help: string
  /** Values by labels as text, in a histogram by suffix and labels. */
  readonly samples: Map<string, number>
}

export function familiesOf(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the text does not end with a line feed')
  const families = new Map<string, Family>()
  let current = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help, helpText] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
    const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (help !== undefined) {
      if (families.has(help)) throw new Error(`the family ${help} is there twice`)
      families.set(help, { type: '', help: helpText!, samples: new Map() })
      current = help
    } else if (typed !== undefined) {
      if (typed !== current) throw new Error(`# TYPE ${typed} comes after ${current}`)
      families.set(typed, { ...families.get(typed)!, type: type! })
    } else {
      addSample(families.get(current), current, line)
    }
  }
  return families
}

function addSample(family: Family | undefined, name: string, line: string): void {
  const [, sampled, labels = '', number] = /^([a-z0-9_]+)(\{.*\})? (\S+)$/.exec(line) ?? []
  if (family === undefined || sampled === undefined) throw new Error(`cannot be read: ${line}`)
  const suffix = sampled.slice(name.length)
  const isPart = family.type === 'histogram' && ['_bucket', '_sum', '_count'].includes(suffix)
  if (!sampled.startsWith(name) || (suffix !== '' && !isPart)) {
    throw new Error(`${sampled} is not of the family ${name}`)
  }
  const key = suffix + labels
  if (family.samples.has(key)) throw new Error(`${sampled}${labels} is there twice`)
  family.samples.set(key, sampleValue(number!))
}

function sampleValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  const value = Number(text)
  if (Number.isNaN(value) && text !== 'NaN') throw new Error(`${text} is no number`)
  return value
}
