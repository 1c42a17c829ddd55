ALTER DATABASE :"database" OWNER TO postgres;
