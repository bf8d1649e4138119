// The demo's job: purchases by age and by gender, in total and over the last ten seconds. Written
// as any user would write one.

import { add, csv, job, seconds, subtract, sum } from 'millrace/engine'
import { orderColumns } from './orderLines.ts'

const purchase = '2'
const lastTenSeconds = { windowMs: seconds(10), slideMs: seconds(1) }

const ages = {
  '1': 'under 18',
  '2': '18–24',
  '3': '25–29',
  '4': '30–34',
  '5': '35–39',
  '6': '40–49',
  '7': '50 and over (7)',
  '8': '50 and over (8)',
  '0': 'unknown',
  '': 'not given',
}
const genders = { '0': 'women', '1': 'men', '2': 'unknown', '': 'not given' }

export default job('order-demographics', (stream) => {
  const orders = stream
    .fromTopic('orders', csv(orderColumns))
    .filter((order) => order.action_type === purchase)
  const { windowMs, slideMs } = lastTenSeconds

  const byAge = orders.map((order) => [order.age_range, 1] as const).reduceByKey(sum)
  byAge
    .updateStateByKey(add, { uid: 'orders-by-age' })
    .view('orders-by-age', { title: 'Purchases by age range', chart: 'bar', labels: ages })
  byAge
    .reduceByKeyAndWindow(sum, windowMs, slideMs, { inverse: subtract, uid: 'age-share' })
    .view('age-share', {
      title: 'Purchases of the last 10 s, share of each age range',
      chart: 'share',
      labels: ages,
    })

  const byGender = orders.map((order) => [order.gender, 1] as const).reduceByKey(sum)
  byGender
    .updateStateByKey(add, { uid: 'orders-by-gender' })
    .view('orders-by-gender', { title: 'Purchases by gender', chart: 'bar', labels: genders })
  byGender
    .reduceByKeyAndWindow(sum, windowMs, slideMs, { inverse: subtract, uid: 'gender-share' })
    .view('gender-share', {
      title: 'Purchases of the last 10 s, share of each gender',
      chart: 'share',
      labels: genders,
    })
})
