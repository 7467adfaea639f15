import subprocess, sys
state = getattr(sys, '_ddpatrol', None)
if state is None:
  child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
  state = sys._ddpatrol = (child, {})
child, names = state
def ask(kind, content, object_id=b''):
  if content is None:
    return None
  child.stdin.write(kind + bytes([len(object_id)]) + object_id + len(content).to_bytes(8, 'little'))
  child.stdin.write(content)
  child.stdin.flush()
  length = child.stdout.read(8)
  if len(length) != 8:
    raise SystemExit('the filter process of ddpatrol ended')
  length = int.from_bytes(length, 'little')
  if length == 2**64 - 1:
    return content
  cleaned = child.stdout.read(length)
  if len(cleaned) != length:
    raise SystemExit('the filter process of ddpatrol ended')
  return cleaned
def ask_name(name):
  if name not in names:
    names[name] = ask(b'n', name)
  return names[name]
