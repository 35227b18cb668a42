-- Roles and database of the event store: what only a superuser can make, and all that one is needed for.
--
-- ./dev runs this on its private server. In production an administrator runs it once per server, before
-- the first migration, and again whenever it changed; running it again does no harm:
--
--   psql -X -d postgres -v ON_ERROR_STOP=1 -v migrator_password=... -v writer_password=... \
--        -v reader_password=... -f migrations/bootstrap.sql
--
-- Nothing runs as superuser, and no service runs as the owner of the tables:
--   god33_migrator  owns the database and what the migrations make in it; used by migrations only
--   god33_writer    event-store-manager, and the services that react to events: what the migrations grant for
--                   appending
--   god33_reader    event-store-api: what the migrations grant for reading
-- Owners and superusers bypass row-level security, so separate logins are what makes it hold.
--
-- This is no migration: dbmate takes files only whose names begin with a number.

-- The passwords below belong into no log.
SET log_statement = 'none';
SET log_min_duration_statement = -1;

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['god33_migrator', 'god33_writer', 'god33_reader']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE god33_migrator WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  PASSWORD :'migrator_password';
ALTER ROLE god33_writer WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  PASSWORD :'writer_password';
ALTER ROLE god33_reader WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  PASSWORD :'reader_password';

-- Who may write may also act as a reader (SET ROLE).
GRANT god33_reader TO god33_writer;

SELECT 'CREATE DATABASE event_store OWNER god33_migrator ENCODING ''UTF8'' TEMPLATE template0'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'event_store')
\gexec

ALTER DATABASE event_store OWNER TO god33_migrator;
REVOKE ALL ON DATABASE event_store FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE event_store TO god33_writer;
GRANT CONNECT ON DATABASE event_store TO god33_reader;
