// DeleteAcls: every filter is refused, because there is no authorizer.

import { deleteAcls } from '../../../protocol/kafka/apis/deleteAcls.ts'
import { handler } from '../handler.ts'
import { noAuthorizer } from '../noAuthorizer.ts'

export const deleteAclsHandler = handler(deleteAcls, ({ filters }) => ({
  filterResults: filters.map(() => ({ ...noAuthorizer, matchingAcls: [] })),
}))
