// CreateAcls: refuses every rule, because there is no authorizer to enforce it.

import { createAcls } from '../../../protocol/kafka/apis/createAcls.ts'
import { noAuthorizer } from '../gate/noAuthorizer.ts'
import { handler } from '../request/handler.ts'

export const createAclsHandler = handler(createAcls, ({ creations }) => ({
  results: creations.map(() => noAuthorizer),
}))
