import { expect, test } from 'vitest'
import { RecordJournal } from '../../../../broker/groups/consumer/recordJournal.ts'
import type { GroupEffect } from '../../../../broker/groups/groupOutcome.ts'
import type { GroupRecord } from '../../../../broker/groups/groupRecords.ts'

test('accepts more records than a call can have arguments', () => {
  const effects: GroupEffect[] = []
  const journal = new RecordJournal(effects)
  const records = Array.from({ length: 200_000 }, (_, member): GroupRecord => {
    return {
      type: 'consumerGroupMemberMetadata',
      groupId: 'g',
      memberId: `m${member}`,
      value: null,
    }
  })
  journal.add(records)
  journal.flush()
  expect(effects).toHaveLength(1)
  expect(journal.unsettled()).toHaveLength(200_000)
})
