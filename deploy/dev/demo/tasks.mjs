// What is handed over: payloads of hand-offs. A real model reads the description; the scripted one does what
// context.script says (scripted_model.mjs).

const task = (fields, scripted, script) => ({
  task_type: 'implement_feature',
  priority: 'high',
  ...fields,
  context: {...fields.context, ...(scripted && {script})},
});

const completion = (summary, artifacts) => ({
  tool: 'complete_task',
  arguments: {
    summary,
    artifacts,
    validation: {tests_passed: true, lint_passed: true, coverage_pct: 87.5},
    next_action: 'qa_review',
  },
});

const progress = (summary, files, next) => ({
  tool: 'report_progress',
  arguments: {summary, files_modified: files, next_steps: [next]},
});

// Pattern 1.
export const work = (scripted) => task({
  task_description: 'Implement user authentication: write src/auth.py with write_file, report progress, complete the ' +
    'task.',
  context: {
    requirements: {stories: ['AUTH-1', 'AUTH-2'], acceptance: 'Login, refresh and logout work; failures are audited'},
    architecture: {tokens: 'JWT with refresh tokens', storage: 'PostgreSQL'},
    file_references: ['src/auth.py', 'tests/test_auth.py'],
    constraints: {coverage_pct: 85, python: '>=3.11'},
  },
}, scripted, [
  progress('Tokens are issued and verified', ['src/auth.py'], 'Refresh tokens'),
  {tool: 'write_file', arguments: {path: 'src/auth.py', content: 'def login(name, password):\n    ...\n'}},
  completion('Login, refresh and logout work', [{type: 'code', path: 'src/auth.py', status: 'created'}]),
]);

// Pattern 3: after the report there are seconds in which the model thinks, and Letta can be killed.
export const recovery = () => task({
  task_type: 'write_tests',
  task_description: 'Write the tests of user authentication.',
  context: {file_references: ['tests/test_auth.py']},
}, true, [
  progress('Half of the tests are written', ['tests/test_auth.py'], 'The other half'),
  {
    tool: 'write_file',
    arguments: {path: 'tests/test_auth.py', content: 'def test_login():\n    ...\n'},
    delay_ms: 2000,
  },
  completion('The tests are written', [{type: 'test', path: 'tests/test_auth.py', status: 'created'}]),
]);

// Pattern 4.
export const question = (scripted) => task({
  task_type: 'implement_storage',
  task_description: 'Implement where tokens are kept: ask a human by ask_human whether in Redis or in PostgreSQL, ' +
    'and complete the task when you have the answer.',
}, scripted, [
  {
    tool: 'ask_human',
    arguments: {question: 'Where are tokens kept?', options: ['Redis', 'PostgreSQL'], default: 'PostgreSQL'},
  },
  {say: 'I wait for the answer.'},
  completion('Tokens are kept where the human wants them', [{type: 'code', path: 'src/tokens.py', status: 'created'}]),
]);
