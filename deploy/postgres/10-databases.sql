-- Run once by the image, at the first start of an empty volume, as the server's own administrator. Two roles without
-- any right beyond their own database: the ledger's, and the record's. The passwords come from their files, so that
-- they stand in no argument, no environment and no log.
\set ledger_password `cat /run/secrets/ledger_password`
\set record_password `cat /run/secrets/record_password`
CREATE ROLE constantes LOGIN PASSWORD :'ledger_password';
CREATE ROLE record LOGIN PASSWORD :'record_password';
CREATE DATABASE constantes OWNER constantes;
CREATE DATABASE record OWNER record;
REVOKE ALL ON DATABASE constantes FROM PUBLIC;
REVOKE ALL ON DATABASE record FROM PUBLIC;
-- To see whether a standby follows (CONSTANTES_LEDGER__STANDBY=required): reads statistics, nothing else.
GRANT pg_monitor TO constantes;
