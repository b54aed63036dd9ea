# What the machines of this site are; roles come from facts, as a node classifier would say.
include backup
