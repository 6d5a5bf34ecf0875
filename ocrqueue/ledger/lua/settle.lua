-- Brings what the job adds to the backlog and to the figures up to date; changes nothing if every step was counted.
settle()
return reply()
