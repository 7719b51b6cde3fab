// An OData client that its authors made for any OData 4 service, against the farm whose address is given.
const { OData } = require('@odata/client')

const [base, prefix, user, password] = process.argv.slice(2)

async function main () {
  const credential = user ? { username: user, password } : undefined
  const client = OData.New4({ serviceEndpoint: `${base}/odata/`, credential })
  const templates = client.getEntitySet('templates')
  const reports = client.getEntitySet('reports')
  const said = {}

  const created = await templates.create({ name: prefix, content: '<p>{{ word }}', recipe: 'html', sampleData: { word: 'x' } })
  said.created = created
  said.retrieved = await templates.retrieve(created._id)
  await templates.update(created._id, { content: '<b>{{ word }}' })
  said.updated = await templates.retrieve(created._id)
  said.found = await templates.find({ name: prefix })
  await templates.delete(created._id)
  said.left = await templates.count(OData.newFilter().property('name').eq(prefix))

  const ours = OData.newFilter().property('name').in([`${prefix}-a`, `${prefix}-b`])
  const options = () => OData.newOptions().filter(ours).orderby('creationDate', 'desc')
  said.reports = await reports.query(options().select(['name', 'state', 'creationDate']))
  said.second = await reports.query(options().top(1).skip(1))
  said.count = await reports.count(ours)
  const since = OData.newFilter().property('name').eq(`${prefix}-a`).gtDateTimeOffset('creationDate', new Date(0))
  said.since = await reports.query(since)

  // Page after page, as the answers say.
  said.pages = []
  let next = `${base}/odata/reports?$select=name&$filter=startswith(name,'${prefix}')`
  while (next) {
    const headers = { ...(await client.getHeaders()), Prefer: 'odata.maxpagesize=2' }
    const page = await (await fetch(next, { headers })).json()
    said.pages.push(page.value.map((one) => one.name))
    next = page['@odata.nextLink']
  }

  try {
    await reports.query(OData.newFilter().property('nam').eq('x'))
  } catch (error) {
    said.refused = error.message
  }
  console.log(JSON.stringify(said))
}

main()
