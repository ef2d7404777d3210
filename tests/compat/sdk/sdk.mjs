// sdk.mjs responses|chat stream|whole MODEL PROMPT: one turn as a program has it that was written after the SDK's
// manual. Prints the answer's text. A tool that the model asks for is "run", and its result goes back; no retries but
// the SDK's own.
import OpenAI from 'openai';

const [api, how, model, prompt] = process.argv.slice(2);
const stream = how === 'stream';
const client = new OpenAI();
const parameters = { type: 'object', properties: { text: { type: 'string' } } };

async function responses(input) {
  const tools = [{ type: 'function', name: 'note', strict: false, parameters }];
  const answer = await client.responses.create({ model, input, tools, stream });
  if (!stream) return answer;
  for await (const event of answer) {
    if (event.type === 'response.completed') return event.response;
    if (event.type === 'response.failed') throw new Error(event.response.error.message);
  }
  throw new Error('the stream ended without response.completed');
}

async function runResponses() {
  let input = [{ role: 'user', content: prompt }];
  for (;;) {
    const { output } = await responses(input);
    const calls = output.filter((item) => item.type === 'function_call');
    if (calls.length === 0) return output.flatMap((item) => item.content ?? []).map((part) => part.text).join('');
    const results = calls.map(({ call_id }) => ({ type: 'function_call_output', call_id, output: 'noted' }));
    input = [...input, ...output, ...results];
  }
}

async function chat(messages) {
  const tools = [{ type: 'function', function: { name: 'note', parameters } }];
  const answer = await client.chat.completions.create({ model, messages, tools, stream });
  if (!stream) return answer.choices[0].message;
  const message = { role: 'assistant', content: '' };
  let finish = null;
  for await (const { choices } of answer) {
    const { delta, finish_reason } = choices[0];
    message.content += delta.content ?? '';
    finish = finish_reason ?? finish;
    for (const { index, id, function: piece } of delta.tool_calls ?? []) {
      message.tool_calls ??= [];
      message.tool_calls[index] ??= { id, type: 'function', function: { name: piece.name, arguments: '' } };
      message.tool_calls[index].function.arguments += piece.arguments;
    }
  }
  if (finish === null) throw new Error('the stream ended without a finish_reason');
  return message;
}

async function runChat() {
  const messages = [{ role: 'user', content: prompt }];
  for (;;) {
    const message = await chat(messages);
    if (!message.tool_calls) return message.content;
    const results = message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'noted' }));
    messages.push(message, ...results);
  }
}

console.log(api === 'responses' ? await runResponses() : await runChat());
