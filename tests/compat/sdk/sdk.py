"""sdk.py responses|chat stream|whole MODEL PROMPT: what sdk.mjs does, with the SDK for Python."""

import sys

from openai import OpenAI

client = OpenAI()
PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}}}


def responses(model, conversation, stream):
    tools = [{"type": "function", "name": "note", "strict": False, "parameters": PARAMETERS}]
    answer = client.responses.create(model=model, input=conversation, tools=tools, stream=stream)
    if not stream:
        return answer
    for event in answer:
        if event.type == "response.completed":
            return event.response
        if event.type == "response.failed":
            raise RuntimeError(event.response.error.message)
    raise RuntimeError("the stream ended without response.completed")


def run_responses(model, prompt, stream):
    conversation = [{"role": "user", "content": prompt}]
    while True:
        response = responses(model, conversation, stream)
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response.output_text
        conversation += response.output
        conversation += [{"type": "function_call_output", "call_id": call.call_id, "output": "noted"} for call in calls]


def chat(model, messages, stream):
    tools = [{"type": "function", "function": {"name": "note", "parameters": PARAMETERS}}]
    answer = client.chat.completions.create(model=model, messages=messages, tools=tools, stream=stream)
    if not stream:
        return answer.choices[0].message.to_dict()
    message, finish = {"role": "assistant", "content": ""}, None
    for chunk in answer:
        choice = chunk.choices[0]
        message["content"] += choice.delta.content or ""
        finish = choice.finish_reason or finish
        for piece in choice.delta.tool_calls or []:
            calls = message.setdefault("tool_calls", [])
            if piece.index == len(calls):
                calls.append(
                    {"id": piece.id, "type": "function", "function": {"name": piece.function.name, "arguments": ""}}
                )
            calls[piece.index]["function"]["arguments"] += piece.function.arguments
    if finish is None:
        raise RuntimeError("the stream ended without a finish_reason")
    return message


def run_chat(model, prompt, stream):
    messages = [{"role": "user", "content": prompt}]
    while True:
        message = chat(model, messages, stream)
        if not message.get("tool_calls"):
            return message["content"]
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": "noted"} for call in message["tool_calls"]]


api, how, model_name, text = sys.argv[1:]
print((run_responses if api == "responses" else run_chat)(model_name, text, how == "stream"))
