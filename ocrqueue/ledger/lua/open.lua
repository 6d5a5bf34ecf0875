-- Records that the document is open, and opens its pages.
-- arg: token, number of pages asked for, lanes wanted, JSON list of the pages that are read already, ascending, each as
-- {page, quality in percent (-1: not known)}, then field, value, ... of the record (engine, model, queue, ...).
local read = cjson.decode(arg(4)) -- first, because a script that fails later does not undo its writes
if answer_again(arg(1), 'open') then return reply() end
if not let_go(arg(1), 'open', 'document') then return reply({stale = true}) end
redis.call('HDEL', job, 'sent:document', 'wait:document') -- no longer used; beyond 32 fields the hash's table doubles
local n = tonumber(arg(2))
local wanted = math.min(tonumber(arg(3)), n)
local record = {}
for i = 5, #ARGV - 4 do record[#record + 1] = arg(i) end
set('state', 'running', 'n', n, 'top', n, 'cursor', 0, 'ok', 0, 'failed', 0, 'cancelled', 0, 'reopened', 0,
  'width', wanted, 'lanes', 0, 'opened', stamp(now), unpack(record))
if get('cancel') then
  set('top', 0, 'cancelled', n)
else
  for _, page in ipairs(read) do
    local n, percent = page[1], page[2]
    for skipped = num('cursor') + 1, n - 1 do reopen_page(skipped, 0) end
    set('cursor', n)
    grade(n, percent >= 0 and percent or nil)
  end
  set('ok', #read)
  if #read > 0 and not get('structures') then redis.call('HINCRBY', figures, 'cached ' .. get('engine'), #read) end
  for _, page in ipairs(read) do page_finished(page[1], 'ok') end
end
assemble_if_finished()
if open_count() > 0 then
  for i = 0, wanted - 1 do
    local lane = {serial = 0, wait = FIRST_WAIT, token = '-'}
    send_ticket(i, lane)
    lane_put(i, lane)
  end
  set('lanes', wanted)
end
settle()
tell({state = 'running'})
return reply()
