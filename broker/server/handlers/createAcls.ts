// Creates access rules: each is refused without an authorizer that would keep to it.

import { createAcls } from '../../../protocol/kafka/apis/createAcls.ts'
import { handler } from '../handler.ts'
import { noAuthorizer } from '../noAuthorizer.ts'

export const createAclsHandler = handler(createAcls, ({ creations }) => ({
  results: creations.map(() => noAuthorizer),
}))
