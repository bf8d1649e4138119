// DescribeAcls: refused, because there is no authorizer.

import { describeAcls } from '../../../protocol/kafka/apis/describeAcls.ts'
import { noAuthorizer } from '../gate/noAuthorizer.ts'
import { handler } from '../request/handler.ts'

export const describeAclsHandler = handler(describeAcls, () => ({ ...noAuthorizer, resources: [] }))
