// DeleteAcls: refuses every filter, because there is no authorizer.

import { deleteAcls } from '../../../protocol/kafka/apis/deleteAcls.ts'
import { noAuthorizer } from '../gate/noAuthorizer.ts'
import { handler } from '../request/handler.ts'

export const deleteAclsHandler = handler(deleteAcls, ({ filters }) => ({
  filterResults: filters.map(() => ({ ...noAuthorizer, matchingAcls: [] })),
}))
