-- The schema of a new database. It is what the migrations lead to; a test compares the two.
-- A change here needs a migration, and a migration a change here.

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE "user" (
    id TEXT NOT NULL,
    email TEXT,
    is_active BOOLEAN NOT NULL,
    first_name TEXT,
    last_name TEXT,
    PRIMARY KEY (id)
);

CREATE TABLE api_key (
    access_key TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_on TEXT NOT NULL,
    revoked_on TEXT,
    PRIMARY KEY (access_key)
);

CREATE TABLE lead (
    id TEXT NOT NULL,
    email TEXT,
    first_name TEXT,
    last_name TEXT,
    phone TEXT,
    mobile TEXT,
    owner_id TEXT,
    created_on TEXT,
    modified_on TEXT,
    attributes TEXT,
    PRIMARY KEY (id)
) WITHOUT ROWID;
CREATE INDEX lead_by_email ON lead (lower(email));
CREATE INDEX lead_by_phone ON lead (phone) WHERE phone IS NOT NULL;
CREATE INDEX lead_by_mobile ON lead (mobile) WHERE mobile IS NOT NULL;
CREATE INDEX lead_by_phone_ending ON lead ((CASE WHEN length(replace(replace(replace(replace(replace(replace(phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '')) > 7 THEN substr(replace(replace(replace(replace(replace(replace(phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), length(replace(replace(replace(replace(replace(replace(phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '')) - 6) ELSE replace(replace(replace(replace(replace(replace(phone, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '') END), id) WHERE phone IS NOT NULL;
CREATE INDEX lead_by_mobile_ending ON lead ((CASE WHEN length(replace(replace(replace(replace(replace(replace(mobile, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '')) > 7 THEN substr(replace(replace(replace(replace(replace(replace(mobile, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', ''), length(replace(replace(replace(replace(replace(replace(mobile, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '')) - 6) ELSE replace(replace(replace(replace(replace(replace(mobile, ' ', ''), '-', ''), '+', ''), '(', ''), ')', ''), '.', '') END), id) WHERE mobile IS NOT NULL;
CREATE INDEX lead_by_modified_on ON lead (modified_on, id);

CREATE TABLE opportunity_type (
    event_code BIGINT NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    can_delete BOOLEAN DEFAULT 1 NOT NULL,
    duplicate_rules TEXT DEFAULT '[]' NOT NULL,
    PRIMARY KEY (event_code)
);

CREATE TABLE field (
    event_code BIGINT NOT NULL,
    schema_name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    data_type TEXT NOT NULL,
    is_mandatory BOOLEAN NOT NULL,
    sequence BIGINT NOT NULL,
    options TEXT NOT NULL,
    max_length BIGINT,
    parent_field TEXT,
    dependent_options TEXT DEFAULT '{}' NOT NULL,
    default_option TEXT,
    PRIMARY KEY (event_code, schema_name)
);

CREATE TABLE catalogue_version (
    id INTEGER NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE opportunity (
    id TEXT NOT NULL,
    event_code BIGINT NOT NULL,
    version BIGINT NOT NULL,
    lead_id TEXT NOT NULL,
    lead_email TEXT,
    owner_id TEXT,
    status TEXT,
    created_on TEXT NOT NULL,
    modified_on TEXT NOT NULL,
    created_on_answer TEXT GENERATED ALWAYS AS (CAST(CAST(substr(created_on, 6, 2) AS INTEGER) AS TEXT) || '/' || CAST(CAST(substr(created_on, 9, 2) AS INTEGER) AS TEXT) || '/' || substr(created_on, 1, 4) || ' ' || CAST((CAST(substr(created_on, 12, 2) AS INTEGER) + 11) % 12 + 1 AS TEXT) || substr(created_on, 14, 6) || CASE WHEN substr(created_on, 12, 2) < '12' THEN ' AM' ELSE ' PM' END) STORED,
    modified_on_answer TEXT GENERATED ALWAYS AS (CAST(CAST(substr(modified_on, 6, 2) AS INTEGER) AS TEXT) || '/' || CAST(CAST(substr(modified_on, 9, 2) AS INTEGER) AS TEXT) || '/' || substr(modified_on, 1, 4) || ' ' || CAST((CAST(substr(modified_on, 12, 2) AS INTEGER) + 11) % 12 + 1 AS TEXT) || substr(modified_on, 14, 6) || CASE WHEN substr(modified_on, 12, 2) < '12' THEN ' AM' ELSE ' PM' END) STORED,
    created_by TEXT,
    modified_by TEXT,
    mx_custom_1 TEXT, mx_custom_2 TEXT, mx_custom_3 TEXT, mx_custom_4 TEXT, mx_custom_5 TEXT,
    mx_custom_6 TEXT, mx_custom_7 TEXT, mx_custom_8 TEXT, mx_custom_9 TEXT, mx_custom_10 TEXT,
    mx_custom_11 TEXT, mx_custom_12 TEXT, mx_custom_13 TEXT, mx_custom_14 TEXT, mx_custom_15 TEXT,
    mx_custom_16 TEXT, mx_custom_17 TEXT, mx_custom_18 TEXT, mx_custom_19 TEXT, mx_custom_20 TEXT,
    mx_custom_21 TEXT, mx_custom_22 TEXT, mx_custom_23 TEXT, mx_custom_24 TEXT, mx_custom_25 TEXT,
    mx_custom_26 TEXT, mx_custom_27 TEXT, mx_custom_28 TEXT, mx_custom_29 TEXT, mx_custom_30 TEXT,
    mx_custom_31 TEXT, mx_custom_32 TEXT, mx_custom_33 TEXT, mx_custom_34 TEXT, mx_custom_35 TEXT,
    mx_custom_36 TEXT, mx_custom_37 TEXT, mx_custom_38 TEXT, mx_custom_39 TEXT, mx_custom_40 TEXT,
    mx_custom_41 TEXT, mx_custom_42 TEXT, mx_custom_43 TEXT, mx_custom_44 TEXT, mx_custom_45 TEXT,
    mx_custom_46 TEXT, mx_custom_47 TEXT, mx_custom_48 TEXT, mx_custom_49 TEXT, mx_custom_50 TEXT,
    mx_custom_51 TEXT, mx_custom_52 TEXT, mx_custom_53 TEXT, mx_custom_54 TEXT, mx_custom_55 TEXT,
    mx_custom_56 TEXT, mx_custom_57 TEXT, mx_custom_58 TEXT, mx_custom_59 TEXT, mx_custom_60 TEXT,
    mx_custom_61 TEXT, mx_custom_62 TEXT, mx_custom_63 TEXT, mx_custom_64 TEXT, mx_custom_65 TEXT,
    mx_custom_66 TEXT, mx_custom_67 TEXT, mx_custom_68 TEXT, mx_custom_69 TEXT, mx_custom_70 TEXT,
    mx_custom_71 TEXT, mx_custom_72 TEXT, mx_custom_73 TEXT, mx_custom_74 TEXT, mx_custom_75 TEXT,
    mx_custom_76 TEXT, mx_custom_77 TEXT, mx_custom_78 TEXT, mx_custom_79 TEXT, mx_custom_80 TEXT,
    mx_custom_81 TEXT, mx_custom_82 TEXT, mx_custom_83 TEXT, mx_custom_84 TEXT, mx_custom_85 TEXT,
    mx_custom_86 TEXT, mx_custom_87 TEXT, mx_custom_88 TEXT, mx_custom_89 TEXT, mx_custom_90 TEXT,
    mx_custom_91 TEXT, mx_custom_92 TEXT, mx_custom_93 TEXT, mx_custom_94 TEXT, mx_custom_95 TEXT,
    mx_custom_96 TEXT, mx_custom_97 TEXT, mx_custom_98 TEXT, mx_custom_99 TEXT, mx_custom_100 TEXT,
    mx_custom_101 TEXT, mx_custom_102 TEXT, mx_custom_103 TEXT, mx_custom_104 TEXT, mx_custom_105 TEXT,
    mx_custom_106 TEXT, mx_custom_107 TEXT, mx_custom_108 TEXT, mx_custom_109 TEXT, mx_custom_110 TEXT,
    mx_custom_111 TEXT, mx_custom_112 TEXT, mx_custom_113 TEXT, mx_custom_114 TEXT, mx_custom_115 TEXT,
    mx_custom_116 TEXT, mx_custom_117 TEXT, mx_custom_118 TEXT, mx_custom_119 TEXT, mx_custom_120 TEXT,
    mx_custom_121 TEXT, mx_custom_122 TEXT, mx_custom_123 TEXT, mx_custom_124 TEXT, mx_custom_125 TEXT,
    mx_custom_126 TEXT, mx_custom_127 TEXT, mx_custom_128 TEXT, mx_custom_129 TEXT, mx_custom_130 TEXT,
    mx_custom_131 TEXT, mx_custom_132 TEXT, mx_custom_133 TEXT, mx_custom_134 TEXT, mx_custom_135 TEXT,
    mx_custom_136 TEXT, mx_custom_137 TEXT, mx_custom_138 TEXT, mx_custom_139 TEXT, mx_custom_140 TEXT,
    mx_custom_141 TEXT, mx_custom_142 TEXT, mx_custom_143 TEXT, mx_custom_144 TEXT, mx_custom_145 TEXT,
    mx_custom_146 TEXT, mx_custom_147 TEXT, mx_custom_148 TEXT, mx_custom_149 TEXT, mx_custom_150 TEXT,
    mx_custom_151 TEXT, mx_custom_152 TEXT, mx_custom_153 TEXT, mx_custom_154 TEXT, mx_custom_155 TEXT,
    mx_custom_156 TEXT, mx_custom_157 TEXT, mx_custom_158 TEXT, mx_custom_159 TEXT, mx_custom_160 TEXT,
    mx_custom_161 TEXT, mx_custom_162 TEXT, mx_custom_163 TEXT, mx_custom_164 TEXT, mx_custom_165 TEXT,
    mx_custom_166 TEXT, mx_custom_167 TEXT, mx_custom_168 TEXT, mx_custom_169 TEXT, mx_custom_170 TEXT,
    mx_custom_171 TEXT, mx_custom_172 TEXT, mx_custom_173 TEXT, mx_custom_174 TEXT, mx_custom_175 TEXT,
    mx_custom_176 TEXT, mx_custom_177 TEXT, mx_custom_178 TEXT, mx_custom_179 TEXT, mx_custom_180 TEXT,
    mx_custom_181 TEXT, mx_custom_182 TEXT, mx_custom_183 TEXT, mx_custom_184 TEXT, mx_custom_185 TEXT,
    mx_custom_186 TEXT, mx_custom_187 TEXT, mx_custom_188 TEXT, mx_custom_189 TEXT, mx_custom_190 TEXT,
    mx_custom_191 TEXT, mx_custom_192 TEXT, mx_custom_193 TEXT, mx_custom_194 TEXT, mx_custom_195 TEXT,
    mx_custom_196 TEXT, mx_custom_197 TEXT, mx_custom_198 TEXT, mx_custom_199 TEXT, mx_custom_200 TEXT,
    mx_custom_201 TEXT, mx_custom_202 TEXT, mx_custom_203 TEXT, mx_custom_204 TEXT, mx_custom_205 TEXT,
    mx_custom_206 TEXT, mx_custom_207 TEXT, mx_custom_208 TEXT, mx_custom_209 TEXT, mx_custom_210 TEXT,
    mx_custom_211 TEXT, mx_custom_212 TEXT, mx_custom_213 TEXT, mx_custom_214 TEXT, mx_custom_215 TEXT,
    mx_custom_216 TEXT, mx_custom_217 TEXT, mx_custom_218 TEXT, mx_custom_219 TEXT, mx_custom_220 TEXT,
    mx_custom_221 TEXT, mx_custom_222 TEXT, mx_custom_223 TEXT, mx_custom_224 TEXT, mx_custom_225 TEXT,
    mx_custom_226 TEXT, mx_custom_227 TEXT, mx_custom_228 TEXT, mx_custom_229 TEXT, mx_custom_230 TEXT,
    mx_custom_231 TEXT, mx_custom_232 TEXT, mx_custom_233 TEXT, mx_custom_234 TEXT, mx_custom_235 TEXT,
    mx_custom_236 TEXT, mx_custom_237 TEXT, mx_custom_238 TEXT, mx_custom_239 TEXT, mx_custom_240 TEXT,
    mx_custom_241 TEXT, mx_custom_242 TEXT, mx_custom_243 TEXT, mx_custom_244 TEXT, mx_custom_245 TEXT,
    mx_custom_246 TEXT, mx_custom_247 TEXT, mx_custom_248 TEXT, mx_custom_249 TEXT, mx_custom_250 TEXT,
    note TEXT,
    change_number BIGINT DEFAULT '0' NOT NULL,
    has_moved BOOLEAN DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX opportunity_by_lead ON opportunity (lead_id);
CREATE INDEX opportunity_by_created_on ON opportunity (event_code, created_on, id);
CREATE INDEX opportunity_by_modified_on ON opportunity (event_code, modified_on, id);
CREATE INDEX opportunity_by_change_number ON opportunity (change_number);

CREATE TABLE deleted_opportunity (
    id TEXT NOT NULL,
    event_code BIGINT NOT NULL,
    version BIGINT NOT NULL,
    deleted_on TEXT NOT NULL,
    deleted_by TEXT,
    change_number BIGINT DEFAULT '0' NOT NULL,
    has_moved BOOLEAN DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX deleted_opportunity_by_change_number ON deleted_opportunity (change_number);

CREATE TABLE activity_type (
    event_code BIGINT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT,
    PRIMARY KEY (event_code)
);

CREATE TABLE activity (
    id TEXT NOT NULL,
    event_code BIGINT NOT NULL,
    lead_id TEXT NOT NULL,
    opportunity_id TEXT,
    note TEXT,
    owner_id TEXT,
    created_by TEXT,
    created_on TEXT NOT NULL,
    modified_on TEXT NOT NULL,
    fields TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX activity_by_lead ON activity (lead_id, created_on, id);
CREATE INDEX activity_by_opportunity ON activity (opportunity_id, created_on, id);
CREATE INDEX activity_by_modified_on ON activity (event_code, modified_on, id);

CREATE TABLE kept_answer (
    key_sha256 TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    body BLOB NOT NULL,
    created_on TEXT NOT NULL,
    PRIMARY KEY (key_sha256)
);
CREATE INDEX kept_answer_by_created_on ON kept_answer (created_on);

CREATE TABLE search_index (
    name TEXT NOT NULL,
    columns TEXT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE database_identity (
    id TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE change_counter (
    id INTEGER NOT NULL,
    last_number BIGINT NOT NULL,
    addresses_number BIGINT NOT NULL,
    PRIMARY KEY (id)
);

INSERT INTO catalogue_version (id, version) VALUES (1, 1);

INSERT INTO change_counter (id, last_number, addresses_number) VALUES (1, 0, 0);
