-- A new round: failed and cancelled pages are open again, read ones stay. A document that could not be opened is opened anew.
local state = get('state')
if state ~= 'partial' and state ~= 'failed' and state ~= 'cancelled' then return reply({retried = false, state = state}) end
redis.call('HDEL', job, 'cancel', 'code', 'message', 'ended', 'sent:assemble', 'wait:assemble', 'lost:assemble', 'lost:document', 'no_worker')
redis.call('ZREM', untold, id)
redis.call('ZREM', dead, member(0))
redis.call('ZADD', open_jobs, get('created'), id)
add('round', 1)
if num('n') == 0 then
  set('state', 'queued', 'wait:document', FIRST_WAIT)
  send_document()
  settle()
  return reply({retried = true})
end
set('state', 'running')
local all = redis.call('HGETALL', pages)
for k = 1, #all, 2 do
  local kind = all[k + 1]:sub(1, 1)
  if kind == 'f' or kind == 'x' then
    redis.call('HSET', pages, all[k], 'o0')
    add('reopened', 1)
    add(kind == 'f' and 'failed' or 'cancelled', -1)
    redis.call('ZREM', dead, member(all[k]))
  end
end
add('cancelled', num('top') - num('n'))
set('top', num('n'))
local lanes = math.max(num('lanes'), math.min(num('width'), open_count()))
for i = 0, lanes - 1 do
  if not lane_get(i) then lane_put(i, {serial = -1, sent = now, wait = FIRST_WAIT, token = '-'}) end
  next_ticket(i)
end
set('lanes', lanes)
assemble_if_finished()
settle()
return reply({retried = true})
