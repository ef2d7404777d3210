// token_table.mjs FOLDER_OF_NODE_MODULES FOLDER_OF_DOCUMENTS REPOSITORY PIECES: cuts real text in five scripts and JSON into pieces of the size of
// requests, writes them to PIECES and prints "script <TAB> tokens <TAB> path" for each, in the order in which they are to arrive.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { pathToFileURL } from 'node:url';

const [modules, documents, repository, pieces] = process.argv.slice(2);
const { encode } = await import(pathToFileURL(path.join(modules, 'gpt-tokenizer/esm/encoding/o200k_base.js')));

const kPieces = 500; // of each script
const kLeast = 2000, kMost = 40000; // UTF-16 units, log-uniform
const kMostOfFile = { json: 6, chinese: 60, russian: 60 }; // pieces; of the others 24
// Translated manuals have pages, and long examples, that are not translated.
const kWritten = { chinese: /[\u3000-\u9FFF]/g, russian: /[\u0400-\u04FF]/g };
const kLeastWritten = 0.1; // of a piece's characters

let state = 20260101;
function random() { // the minimal standard generator of Park and Miller
  state = Number((BigInt(state) * 48271n) % 2147483647n);
  return state / 2147483647;
}
function shuffled(list) {
  for (let i = list.length - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

function files(folder, wanted) {
  const found = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...files(full, wanted));
    else if (entry.isFile() && wanted.test(full)) found.push(full);
  }
  return found;
}
function text(file) {
  const bytes = fs.readFileSync(file);
  return (file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString('utf8');
}
// A manual page as it reads, near enough.
function manual(file) {
  return text(file).split('\n').filter((line) => !/^['.]\\"/.test(line))
    .map((line) => line.replace(/^\.[A-Za-z]{1,2} ?/, '').replace(/\\f[A-Z]/g, '').replace(/\\([-&])/g, (_, c) => (c === '-' ? '-' : '')))
    .join('\n');
}
const texts = (folder, wanted) => files(folder, wanted).map(text);
const manuals = (folder) => files(folder, /\.gz$/).map(manual);

const scripts = {
  cpp: () => [...texts(repository, /^(?!.*\/build\/).*\.(cc|h)$/), ...texts('/usr/include/absl', /\.h$/)],
  python: () => texts('/usr/lib/python3.11', /\.py$/),
  english: () => [...texts(documents, /debian-(faq|reference)\.en\.txt\.gz$/), ...manuals('/usr/share/man/man1')],
  json: () => ['caniuse-db', 'cldr-core', 'country-json', 'mdn-data', 'mime-db', '@octokit', 'vega-datasets', 'world-countries/dist']
    .flatMap((name) => shuffled(texts(path.join(modules, name), /\.json$/)).slice(0, 40)).concat(texts('/usr/share', /\.json$/)),
  chinese: () => [...texts(documents, /debian-(faq|reference)\.zh-cn\.txt\.gz$/), ...manuals(path.join(documents, 'manpages-zh/usr/share/man/zh_CN'))],
  russian: () => [...texts(documents, /debian-faq\.ru\.txt\.gz$/), ...manuals(path.join(documents, 'manpages-ru/usr/share/man/ru'))],
};

// One document at a time, each cut from its start. A document that is larger than all the others together does not crowd them out.
function cut(documents, most, written) {
  const cuts = [];
  for (const whole of documents) {
    for (let at = 0, count = 0; count < most && whole.length - at >= kLeast; ++count) {
      const length = Math.floor(kLeast * Math.exp(random() * Math.log(kMost / kLeast)));
      const piece = whole.slice(at, at + length).replace(/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/g, '');
      const foreign = written && (piece.match(written) ?? []).length < kLeastWritten * piece.length;
      if (piece.length >= kLeast && !piece.includes('\uFFFD') && !foreign) cuts.push(piece);
      at += length;
    }
  }
  return cuts.slice(0, kPieces);
}

fs.mkdirSync(pieces, { recursive: true });
for (const [script, read] of Object.entries(scripts)) {
  const cuts = cut(shuffled(read()), kMostOfFile[script] ?? 24, kWritten[script]);
  if (cuts.length < kPieces) console.error(`${script}: only ${cuts.length} pieces`);
  cuts.forEach((piece, number) => {
    const file = path.join(pieces, `${script}.${number}`);
    fs.writeFileSync(file, piece);
    console.log(`${script}\t${encode(piece, { disallowedSpecial: new Set() }).length}\t${file}`);
  });
}
