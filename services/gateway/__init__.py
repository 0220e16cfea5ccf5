"""The gateway: the one door for people and machines. It takes events in, shows what the other services published, and
passes decisions and questions on to their owners. It owns accounts and sessions, and no truth: every read model here can
be dropped and is rebuilt from the topics."""
