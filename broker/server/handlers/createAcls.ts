// CreateAcls: every rule is refused, because there is no authorizer to enforce it.

import { createAcls } from '../../../protocol/kafka/apis/createAcls.ts'
import { handler } from '../handler.ts'
import { noAuthorizer } from '../noAuthorizer.ts'

export const createAclsHandler = handler(createAcls, ({ creations }) => ({
  results: creations.map(() => noAuthorizer),
}))
