-- Open pages never start; a page that still finishes counts as ok. After the last page a cancel has no effect.
local state = get('state')
if (state ~= 'queued' and state ~= 'running') or (state == 'running' and finished()) then return reply({cancelled = false}) end
set('cancel', 1)
if state == 'running' then
  add('cancelled', num('top') - num('cursor'))
  set('top', num('cursor'))
  if num('reopened') > 0 then
    local all = redis.call('HGETALL', pages)
    for k = 1, #all, 2 do
      local lost = all[k + 1]:match('^o(%d+)a?$')
      if lost then
        redis.call('HSET', pages, all[k], 'x' .. lost)
        add('cancelled', 1)
      end
    end
    set('reopened', 0)
  end
  assemble_if_finished()
else
  send_document()
end
settle()
return reply({cancelled = true})
