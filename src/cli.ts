console.log('gitsync');
