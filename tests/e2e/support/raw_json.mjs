// JSON as text: what a number's digits, a string's escapes and a repeated key are is lost in JSON.parse.

// rawAt('{"a":[1, 2.50]}', 'a', 1) is '2.50'.
export function rawAt(text, ...path) {
  let start = skipBlanks(text, 0);
  for (const step of path) start = typeof step === 'number' ? element(text, start, step) : member(text, start, step);
  return text.slice(start, endOfValue(text, start));
}

function member(text, start, name) {
  if (text[start] !== '{') throw new Error(`no object at ${start}`);
  let at = skipBlanks(text, start + 1);
  while (text[at] !== '}') {
    const end = endOfString(text, at);
    const key = JSON.parse(text.slice(at, end));
    at = skipBlanks(text, skipBlanks(text, end) + 1);
    if (key === name) return at;
    at = next(text, at);
  }
  throw new Error(`no member ${name} in ${text.slice(start, start + 200)}`);
}

function element(text, start, index) {
  if (text[start] !== '[') throw new Error(`no array at ${start}`);
  let at = skipBlanks(text, start + 1);
  for (let i = 0; text[at] !== ']'; ++i) {
    if (i === index) return at;
    at = next(text, at);
  }
  throw new Error(`no element ${index}`);
}

// Where the value after the one at `at` begins, or the closing bracket.
function next(text, at) {
  const end = skipBlanks(text, endOfValue(text, at));
  return text[end] === ',' ? skipBlanks(text, end + 1) : end;
}

function endOfValue(text, start) {
  if (text[start] === '"') return endOfString(text, start);
  if (text[start] !== '{' && text[start] !== '[') return start + text.slice(start).match(/^[^\s,\]}]+/)[0].length;
  let depth = 0;
  for (let at = start; at < text.length; ++at) {
    if (text[at] === '"') {
      at = endOfString(text, at) - 1;
    } else if (text[at] === '{' || text[at] === '[') {
      ++depth;
    } else if ((text[at] === '}' || text[at] === ']') && --depth === 0) {
      return at + 1;
    }
  }
  throw new Error('the text ends early');
}

function endOfString(text, start) {
  for (let at = start + 1; at < text.length; ++at) {
    if (text[at] === '\\') ++at;
    else if (text[at] === '"') return at + 1;
  }
  throw new Error('the text ends inside a string');
}

function skipBlanks(text, at) {
  while (at < text.length && ' \t\r\n'.includes(text[at])) ++at;
  return at;
}
