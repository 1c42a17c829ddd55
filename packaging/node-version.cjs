// Runs before the program, in the oldest syntax there is: an old Node would stop at the program's first line with words about syntax.
'use strict';
var path = require('path');
var needed = require('./package.json').engines.node.replace('>=', '');
var have = process.versions.node.split('.').map(Number);
var want = needed.split('.').map(Number);
if (have[0] < want[0] || (have[0] === want[0] && have[1] < want[1])) {
  var name = path.basename(process.argv[1] || 'gitsync', '.js');
  process.stderr.write('Error: ' + name + ' needs Node.js ' + needed + ' or newer; ' + process.execPath + ' is ' + process.version + '.\n');
  process.stderr.write('Hint: install a newer one (https://nodejs.org), or name it: GITSYNC_NODE=/path/to/node ' + name + '\n');
  process.exit(1);
}
