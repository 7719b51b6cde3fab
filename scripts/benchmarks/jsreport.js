// Starts jsreport: node jsreport.js FOLDER CONFIGURATION, where FOLDER has it installed and CONFIGURATION is JSON.
'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')

const [folder, configuration] = process.argv.slice(2)
const jsreport = createRequire(path.join(folder, 'package.json'))('jsreport')

jsreport({ rootDirectory: folder, ...JSON.parse(configuration) })
  .init()
  .catch((error) => {
    console.error(error.message)
    process.exit(1)
  })
