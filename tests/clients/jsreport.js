// jsreport's own client against the farm whose address is given; says what it got as JSON.
const connect = require('@jsreport/nodejs-client')

const [base, user, password] = process.argv.slice(2)

async function main () {
  const client = connect(base, user, password)
  const template = { content: '<h1>Hello {{ name }}</h1>', engine: 'jinja', recipe: 'html' }
  const data = { name: 'Ada' }
  const shown = async (answer) => ({
    status: answer.statusCode,
    headers: answer.headers,
    body: (await answer.body()).toString('latin1')
  })

  const said = {}
  said.sync = await shown(await client.render({ template, data }))
  said.pdf = await shown(await client.render({ template: { ...template, recipe: 'weasyprint-pdf' }, data }))
  said.saved = await shown(await client.render({ template, data, options: { reports: { save: true, public: true } } }))
  said.async = await shown(await client.render({ template, data, options: { reports: { async: true } } }))
  // The client's second parameter is passed on to its HTTP library, which is how users send a header.
  said.header = await shown(
    await client.render({ template, data }, {
      headers: { 'Content-Type': 'application/json', 'jsreport-options-reports-async': 'true' }
    })
  )
  try {
    await client.render({ template: { ...template, content: 'line one\n{{ name.first.second }}' }, data })
  } catch (error) {
    said.failed = error.message
  }
  console.log(JSON.stringify(said))
}

main()
