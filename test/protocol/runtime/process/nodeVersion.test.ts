import { expect, test } from 'vitest'
import { nodeProblem } from '../../../../protocol/runtime/process/nodeVersion.ts'

test.each(['24.6.0', '24.10.1', '25.0.0', '26.1.0'])('Node %s is new enough', (running) => {
  expect(nodeProblem(running, '>=24.6')).toBeUndefined()
})

test.each(['24.5.9', '22.18.0', '20.20.2', '9.0.0'])('Node %s is too old', (running) => {
  expect(nodeProblem(running, '>=24.6')).toBe(
    `Node 24.6 or newer is required, but this is ${running}`,
  )
})

const published = '^22.18.0 || >=24.0.0'

test.each(['22.18.0', '22.23.3', '24.0.0', '26.10.0'])('the package runs on %s', (running) => {
  expect(nodeProblem(running, published)).toBeUndefined()
})

test.each(['22.17.1', '23.11.0', '21.0.0', '18.20.0'])('the package refuses %s', (running) => {
  expect(nodeProblem(running, published)).toBe(
    `Node 22.18 or a newer 22, or 24 or newer is required, but this is ${running}`,
  )
})
