-- Records that the end of a round has been published. Changes nothing if the job is in a later round.
-- arg: round.
if tonumber(arg(1)) == num('round') then redis.call('ZREM', unpublished, id) end
return reply()
