// The command line of the fuzzer. Prints figures; a failure prints its seed.
//   node test/fuzz/fuzz.ts --inputs 1000000 [--seed N]       requests to a running broker
//   node test/fuzz/fuzz.ts --directories 10000 [--seed N]    damaged data directories to start from

import { parseArgs } from 'node:util'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { runCampaign } from './campaign.ts'
import { runDirectoryCampaign } from './directoryCampaign.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string' },
    directories: { type: 'string' },
    seed: { type: 'string' },
  },
})
const seed = values.seed === undefined ? systemRandom().uint32() : Number(values.seed)
process.on('uncaughtExceptionMonitor', () => console.error(`it began with seed ${seed}`))

const startMs = performance.now()
if (values.directories === undefined) await fuzzRequests(Number(values.inputs ?? 1_000_000))
else await fuzzDirectories(Number(values.directories))

async function fuzzRequests(inputs: number): Promise<void> {
  const onProgress = ({ inputs }: { inputs: number }) => {
    if (inputs % 100_000 === 0) console.error(`${inputs} inputs`)
  }
  const figures = await runCampaign({ seed, inputs, onProgress })
  console.log(`seed: ${seed}\n${figures.text(seconds())}`)
}

async function fuzzDirectories(directories: number): Promise<void> {
  const { started, refused, peakBytes } = await runDirectoryCampaign(seed, directories)
  console.log(`seed: ${seed}\ndirectories: ${directories} in ${Math.round(seconds())} s`)
  console.log(`brokers that started and served: ${started}`)
  for (const [code, count] of refused) console.log(`refused with ${code}: ${count}`)
  console.log(`largest resident memory: ${Math.round(peakBytes / 1024 / 1024)} MB`)
}

function seconds(): number {
  return (performance.now() - startMs) / 1000
}
