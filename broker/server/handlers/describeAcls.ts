// DescribeAcls: refused, because there is no authorizer.

import { describeAcls } from '../../../protocol/kafka/apis/describeAcls.ts'
import { handler } from '../handler.ts'
import { noAuthorizer } from '../noAuthorizer.ts'

export const describeAclsHandler = handler(describeAcls, () => ({ ...noAuthorizer, resources: [] }))
