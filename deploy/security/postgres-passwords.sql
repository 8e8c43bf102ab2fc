-- Gives each role of postgres-roles.sql its password, out of the environment of psql (14 or newer). Run it after that file; again
-- after a change of passwords. Containers of Postgres run both once, when they make the database.
\getenv owner POSTGRES_OWNER_PASSWORD
\getenv node POSTGRES_NODE_PASSWORD
\getenv backup POSTGRES_BACKUP_PASSWORD
\getenv reader POSTGRES_READER_PASSWORD
-- A variable that is missing stands here as it is written, which is an error.
alter role holdfast_owner password :'owner';
alter role holdfast_node password :'node';
alter role holdfast_backup password :'backup';
alter role holdfast_reader password :'reader';
