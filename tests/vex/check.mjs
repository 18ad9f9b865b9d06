// Schema and every mandatory test of CSAF 2.0 on each document of a list from standard input.
import validate from '@secvisogram/csaf-validator-lib/validate.js'
import * as mandatory from '@secvisogram/csaf-validator-lib/mandatoryTests.js'
import * as schema from '@secvisogram/csaf-validator-lib/schemaTests.js'

const parts = []
for await (const part of process.stdin) parts.push(part)
const documents = JSON.parse(Buffer.concat(parts).toString('utf8'))
const tests = [schema.csaf_2_0_strict, ...Object.values(mandatory)]
const told = []
for (const document of documents) {
  const result = await validate(tests, document)
  const problems = result.tests
    .filter((test) => !test.isValid)
    .map((test) => ({ name: test.name, errors: test.errors.slice(0, 5) }))
  told.push({ valid: result.isValid, tests: result.tests.length, problems })
}
console.log(JSON.stringify(told))
