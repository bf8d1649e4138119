import { expect, test } from 'vitest'
import { memoryNetwork } from '../../../../protocol/runtime/network/memoryNetwork.ts'
import { routedNetwork } from '../../../../protocol/runtime/network/networks.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { networkConformance } from './networkConformance.ts'

networkConformance('routedNetwork', () => {
  const memory = memoryNetwork()
  const network = routedNetwork((address) => (address.host === 'embedded' ? memory : tcpNetwork))
  return { client: network, server: network, close() {} }
})

test('the address selects the network for connect and listen', async () => {
  const memory = memoryNetwork()
  const network = routedNetwork((address) => (address.host === 'embedded' ? memory : tcpNetwork))
  const listener = await network.listen({ host: 'embedded', port: 9092 }, () => {})
  const connection = await network.connect({ host: 'embedded', port: 9092 }, 1000)
  expect(connection.remoteAddress).toBe('embedded:9092')
  connection.destroy()
  await listener.close()
})
